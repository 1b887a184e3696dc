import { SpaceError } from '../../core/errors.js'
import { isMapping } from '../../core/is-mapping.js'

/** Names of variables that may hold what no plan should: a plan is kept, shown and sent. */
const serverSettings =
  /^(?:NATS|MLFLOW|AWS|AZURE|GOOGLE|GCP|GITHUB|GITLAB|CI|WANDB|HF|OPENAI|ANTHROPIC|VAULT|DOCKER|KUBE|SSH|GPG)_/i
const secrets = /SECRET|TOKEN|PASS(?:WORD|WD|PHRASE)|_PASS\b|CREDENTIAL|KEY|AUTH|COOKIE|PRIVATE|_DSN$|_URL$|_URI$/i
const variable = /(\$?)\$\{env:([^{}]*)\}/g
const maxLength = 6000

/** Variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * What YAML gave with `${env:NAME}` in its texts replaced by that variable; `$${env:NAME}` stands for itself.
 * @throws SpaceError for one that is not set, too long, or may hold a secret.
 */
export function withVariables(value: unknown, env: Environment): unknown {
  if (typeof value === 'string')
    return value.includes('${env:')
      ? value.replace(variable, (whole, escape: string, name: string) =>
          escape === '' ? valueOf(name, env) : whole.slice(1),
        )
      : value
  if (Array.isArray(value)) return value.map((item) => withVariables(item, env))
  if (!isMapping(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withVariables(item, env)]))
}

function valueOf(name: string, env: Environment): string {
  const refuse = (problem: string): never => {
    throw new SpaceError(`\${env:${name}}: ${problem}`)
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) refuse('is not the name of a variable (such as ${env:HOME})')
  if (serverSettings.test(name) || secrets.test(name))
    refuse('may hold a secret, and a plan is kept and shown (let the program read it from its own environment)')
  const value = Object.hasOwn(env, name) ? env[name] : undefined
  if (value === undefined) return refuse('is not set in the environment (for the text itself write $${env:…})')
  if (value.length > maxLength) refuse(`has ${value.length} characters (at most ${maxLength})`)
  return value
}
