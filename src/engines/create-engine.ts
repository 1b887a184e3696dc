import { EngineError } from '../core/errors.js'
import type { EngineName } from '../core/trial.js'
import type { Engine } from './engine.js'

/**
 * Opens an engine for the calling thread.
 * @throws EngineError when what it needs is not installed or does not load.
 */
export async function createEngine(name: EngineName): Promise<Engine> {
  try {
    return await openEngine(name)
  } catch (error) {
    if (error instanceof EngineError) throw error
    throw new EngineError(name, (error as Error).message, { cause: error })
  }
}

async function openEngine(name: EngineName): Promise<Engine> {
  switch (name) {
    case 'compiled': {
      const { CompiledEngine } = await import('./compiled/compiled.js')
      return new CompiledEngine()
    }
    case 'cpu': {
      await import('@tensorflow/tfjs-backend-cpu')
      const { EagerEngine } = await import('./eager/eager.js')
      return new EagerEngine('cpu', 'cpu')
    }
    case 'wasm': {
      await optional(name, '@tensorflow/tfjs-backend-wasm', 'npm install @tensorflow/tfjs-backend-wasm@4.22.0')
      const tf = await import('@tensorflow/tfjs-core')
      await withoutItsErrorHandlers(() => tf.setBackend('wasm'))
      const { EagerEngine } = await import('./eager/eager.js')
      return new EagerEngine('wasm', 'wasm')
    }
    case 'tfjs-node': {
      // The native library greets every thread with lines about the processor.
      process.env['TF_CPP_MIN_LOG_LEVEL'] ??= '2'
      await optional(name, '@tensorflow/tfjs-node', 'docs/engines.md says how to add it')
      const { EagerEngine } = await import('./eager/eager.js')
      return new EagerEngine('tfjs-node', 'tensorflow')
    }
  }
}

/**
 * Loads what Emscripten has built, whose handlers throw any error of the process again: an error that ours would tell as a
 * sentence would end the process with a stack trace.
 */
async function withoutItsErrorHandlers(load: () => Promise<unknown>): Promise<void> {
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const before = events.map((event) => new Set<unknown>(process.listeners(event as 'uncaughtException')))
  await load()
  for (const [i, event] of events.entries())
    for (const listener of process.listeners(event as 'uncaughtException'))
      if (!before[i]!.has(listener)) process.removeListener(event, listener)
}

async function optional(engine: EngineName, packageName: string, hint: string): Promise<void> {
  try {
    await import(packageName)
  } catch (error) {
    throw new EngineError(engine, `${packageName} is not installed, or broken`, { hint, cause: error })
  }
}
