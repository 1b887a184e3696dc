import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileProblem, MldsError, StoreError } from '../../core/errors.js'
import { shellWord } from '../../core/shell-word.js'
import { makeFolderSync } from '../../system/make-folder.js'
import { isMine } from '../../system/ownership.js'
import { writtenKey } from '../../worker/remote/wire/code-signature.js'
import { codeKey } from '../../worker/remote/wire/needs.js'

/** The key by which a person's workers know that code is that person's. */
export interface CodeKey {
  readonly file: string
  /** The public half, as workers are told it. */
  readonly written: string
  readonly privateKey: KeyObject
}

/** Beside other settings of this user, since a person has one key and many stores. */
const fileIn = ({ XDG_CONFIG_HOME: config = '', HOME: home = homedir() }: NodeJS.ProcessEnv): string =>
  join(config === '' ? join(home, '.config') : config, 'mlds', 'code.key')

/**
 * This user's key, made where there is none; only its owner can read it.
 * @throws MldsError where others can read it; StoreError where it can't be made or is none.
 */
export function openCodeKey(env: NodeJS.ProcessEnv): CodeKey {
  const file = fileIn(env)
  const text = readKey(file) ?? makeKey(file)
  const found = statSync(file)
  if (!isMine(found) || (found.mode & 0o077) !== 0)
    throw new MldsError('FOREIGN', `others can read or change the key that signs your code: ${file}`, {
      hint: `take that away: chmod 600 ${shellWord(file)}`,
    })
  try {
    const privateKey = createPrivateKey(text)
    if (privateKey.asymmetricKeyType !== 'ed25519') throw new Error(`a key of ${privateKey.asymmetricKeyType}`)
    return { file, privateKey, written: writtenKey(createPublicKey(privateKey)) }
  } catch (error) {
    throw new StoreError(`no key of Ed25519 is in this file: ${file}`, {
      hint: 'delete it to have a new one made, and tell workers the new one: mlds fleet key',
      cause: error,
    })
  }
}

function readKey(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new StoreError(`the key that signs code can't be read: ${file}: ${fileProblem(error)}`, { cause: error })
  }
}

/** Whole or not at all, and once: of two processes that make it, one uses the other's. */
function makeKey(file: string): string {
  const own = `${file}.${randomBytes(6).toString('hex')}`
  try {
    makeFolderSync(dirname(file), 0o700)
    const { privateKey } = generateKeyPairSync('ed25519')
    writeFileSync(own, privateKey.export({ type: 'pkcs8', format: 'pem' }), { flag: 'wx', mode: 0o600 })
    try {
      linkSync(own, file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    } finally {
      rmSync(own)
    }
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new StoreError(`the key that signs code can't be written: ${file}: ${fileProblem(error)}`, { cause: error })
  }
}

/**
 * Whose code a worker is told to take: each word is a key, or a file with one on each line.
 * @throws MldsError for what is neither, and for a file that another user may change.
 */
export function readAccepted(words: readonly string[]): string[] {
  return [...new Set(words.flatMap((word) => (codeKey.safeParse(word).success ? word : keysIn(word))))]
}

function keysIn(file: string): string[] {
  let text: string
  try {
    const found = statSync(file)
    // Whoever writes there decides what runs here.
    if ((!isMine(found) && found.uid !== 0) || (found.mode & 0o022) !== 0)
      throw new MldsError('USAGE', `--accept-code: others can change this file, and with it whose code runs: ${file}`, {
        hint: `take that away: chmod go-w ${shellWord(file)}`,
      })
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof MldsError) throw error
    throw new MldsError('USAGE', `--accept-code: ${file} is neither a key (ed25519:…) nor a file with keys`, {
      hint: 'mlds fleet key says yours, where you start sweeps',
    })
  }
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim())
  const keys = lines.filter((line) => line !== '')
  const wrong = keys.find((line) => !codeKey.safeParse(line).success)
  if (keys.length > 0 && wrong === undefined) return keys
  throw new MldsError(
    'USAGE',
    `--accept-code: ${file}: ${wrong ?? 'nothing'} is not a key (ed25519:…, one on each line)`,
    {
      hint: 'mlds fleet key says yours, where you start sweeps',
    },
  )
}
