/**
 * mlds as a library: running sweeps from a program, and what an experiment of one's own is written with.
 * @module
 */
export { openSweep, planSweep, runSweep, Sweep } from './app/library.js'
export type {
  AxisPattern,
  AxisValues,
  CommandDescription,
  StagesDescription,
  RunOptions,
  Scheduler,
  StoreOptions,
  SweepDescription,
  SweepRun,
} from './app/library.js'
export { openStudy, Study } from './app/study.js'
export type { StudyTrial, Told, ToldTrial } from './app/study.js'
export type { StudyDescription } from './app/study-description.js'
export type { Rerun } from './app/running/left-to-run.js'
export type { SweepSummary } from './app/summary.js'
export type { Standing } from './analysis/standings.js'
export type { ClaimVerdict } from './sweeps/verdicts.js'
export type { Plan } from './sweeps/plan.js'
export type { SweepLimits } from './sweeps/run-sweep.js'
export type { SweepCounts } from './sweeps/journal/state.js'
export { MldsError } from './core/errors.js'
export { defineExperiment, defineStage } from './experiments/experiment.js'
export type {
  Claim,
  Experiment,
  Profile,
  ShortExperiment,
  ShortStage,
  StagedExperiment,
  Stage,
  TrialContext,
  Verdict,
} from './experiments/experiment.js'
export { boolean, choice, integer, number, text } from './core/space.js'
export type { ParamsOf, Space } from './core/space.js'
export { defineNet, initialize } from './net/net.js'
export type { Layer, Net } from './net/net.js'
export { createEngine } from './engines/create-engine.js'
export type { Engine, Training } from './engines/engine.js'
export type { Loss, OptimizerSpec } from './net/training-spec.js'
export { encodeCheckpoint, decodeCheckpoint } from './net/checkpoint.js'
export { Random } from './core/seed.js'
export type {
  EngineName,
  Metrics,
  Constraint,
  Goal,
  Objective,
  Outcome,
  Params,
  Seeds,
  Trial,
  TrialEvent,
  TrialRecord,
} from './core/trial.js'
export { principalComponents, projectOnto } from './analysis/principal-components.js'
export { symmetricSpectrum } from './analysis/symmetric.js'
export { addScaled, dot, norm, unit } from './analysis/vectors.js'
export { lanczos } from './analysis/lanczos.js'
export { filterNormalised, randomDirection } from './analysis/directions.js'
export { countEigenvalues, sampledRatio } from './analysis/minimal-ratio.js'
export { ballSharpness, boxSharpness, curvatureSharpness, sampledRise } from './analysis/loss-sharpness.js'
export { blockFrobeniusNorms, denseHessian, type BlockNorm } from './engines/curvature.js'
