/** Variables that tell how mlds reaches its servers, passwords and keys among them. */
const serverSettings = /^(?:NATS|MLFLOW)_/

/** The environment that trials see: that of mlds without what it needs for its servers. */
export function trialEnvironment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !serverSettings.test(name)))
}
