import { describe, expect, it } from 'vitest'
import { firstServer, refuseOwnAddress, tunnelled } from '../../src/app/fleet/worker-access.js'
import { labelOf, parseHost, parseHosts } from '../../src/fleet/host.js'

describe('the name of a host', () => {
  it.each([
    ['lab1', 'lab1', undefined, 'lab1'],
    ['me@lab3.example.org:2222', 'me@lab3.example.org', 2_222, 'lab3-example-org'],
    ['[2001:db8::1]:22', '2001:db8::1', 22, '2001-db8--1'],
    ['root@[::1]', 'root@::1', undefined, '1'],
  ])('is read as ssh would be told it: %s', (name, destination, port, label) => {
    expect(parseHost(name)).toEqual({ name, destination, port })
    expect(labelOf(parseHost(name))).toBe(label)
  })

  it.each([
    'lab 1',
    'lab1;reboot',
    '-oProxyCommand=id',
    'a@-oProxyCommand=id',
    '$(id)',
    "lab'1",
    'lab1:0',
    'lab1:65536',
    'a@b@c',
    '',
    'lab\n1',
    'é',
    '[::1',
    'ssh://lab1',
  ])('is never an option or words of a shell: %j', (name) => {
    expect(() => parseHost(name)).toThrow('not the name of a host')
  })

  it('is given once', () => {
    expect(() => parseHosts(['a', 'b', 'a'])).toThrow('a is named twice')
  })
})

describe('the address of a server', () => {
  it('is not each host’s own, but for this very host', () => {
    expect(() => refuseOwnAddress('nats://localhost:4222', [parseHost('lab1')])).toThrow("is each host's own address")
    expect(() => refuseOwnAddress('nats://localhost:4222', [parseHost('me@127.0.0.1:2222')])).not.toThrow()
    expect(() => refuseOwnAddress('nats://server:4222', [parseHost('lab1')])).not.toThrow()
  })

  it('keeps scheme and user through a tunnel, and of several the first', () => {
    expect(tunnelled('tls://u:p@a.example.org:4222,tls://b:4222', 40_001)).toBe('tls://u:p@127.0.0.1:40001')
    expect(tunnelled('a', 40_001)).toBe('nats://127.0.0.1:40001')
    expect(firstServer('[2001:db8::1]:4333,b')).toEqual({ host: '2001:db8::1', port: 4_333 })
  })
})
