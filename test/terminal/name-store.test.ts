import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { nameStore } from '../../src/terminal/name-store.js'
import { shellWord } from '../../src/core/shell-word.js'
import { commands } from '../helpers/advised.js'

describe('a command in a message', () => {
  it('names the store that was named, if it is a command that uses one of this host', () => {
    const named = [...commands.keys()].filter((name) => nameStore(`mlds ${name}`, 'of mine').includes('--store'))
    // A worker may be started anywhere.
    const using = [...commands].flatMap(([name, { storeUse }]) =>
      storeUse === 'none' || name === 'worker start' ? [] : [name],
    )
    expect(named.sort()).toEqual(using.sort())
    expect(nameStore('see mlds resume it --nats URL', 'of mine')).toBe(
      "see mlds resume --store 'of mine' it --nats URL",
    )
  })

  it('has each text as one word that a shell reads as it was', () => {
    const texts = [
      'plain/path-1.2',
      'a b',
      "it's",
      '"q"',
      '$HOME `x` $(y)',
      'a\nb',
      '*',
      '',
      '~root',
      '-x',
      'größe',
      '#a',
      'a;b&c|d<e>f',
      '\\',
      '!',
    ]
    const words = texts.map(shellWord).join(' ')
    const { stdout } = spawnSync('sh', ['-c', `printf '%s\\0' ${words}`], { encoding: 'utf8' })
    expect(stdout.split('\0').slice(0, -1)).toEqual(texts)
    expect(shellWord('/tmp/a_b@c:1,2+3=4%')).toBe('/tmp/a_b@c:1,2+3=4%')
  })
})
