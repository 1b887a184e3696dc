import { describe, expect, it } from 'vitest'
import { NameCheck, nameProblem } from '../../src/core/names.js'

describe('a name', () => {
  it.each(['loss', 'train/loss', 'top-5 accuracy', 'größe.2', 'layer0/kernel:0', 'x'.repeat(240)])(
    'may be %s',
    (name) => expect(nameProblem(name)).toBeUndefined(),
  )

  it.each([
    ['', /0 characters long/],
    ['x'.repeat(241), /241 characters long \(1 to 240 are right\)/],
    ['acc@5', /other characters/],
    ['layers[0]', /other characters/],
    ['a//b', /shortest form/],
    ['/a', /shortest form/],
    ['a/', /shortest form/],
    ['.', /shortest form/],
    ['../a', /shortest form/],
    ['...', /shortest form/],
    ['a/../b', /shortest form/],
  ])('may not be %j', (name, problem) => expect(nameProblem(name)).toMatch(problem))

  it('may not be the folder of another, whichever came first', () => {
    const sentence = /two names of metrics can't stand beside each other.*loss/
    expect(() => new NameCheck('metric').add(['loss', 'loss/train'])).toThrow(sentence)
    const names = new NameCheck('metric')
    names.add(['a/loss/train', 'a/b'])
    expect(() => names.add(['a/loss'])).toThrow(sentence)
    names.add(['a/b', 'a/lossy'])
  })
})
