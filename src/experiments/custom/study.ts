import { MldsError } from '../../core/errors.js'
import type { Space } from '../../core/space.js'
import { defineExperiment, type Experiment } from '../experiment.js'

export const studyName = 'study'

/** The experiment of a study, whose trials are run by the program that asks for them. */
export function studyExperiment(space: Space): Experiment {
  return defineExperiment<Space>({
    ...{ name: studyName, title: 'Study', question: 'What does a program find that asks and tells?', space },
    run: () => refuseToRun(),
  })
}

/** @throws MldsError always. */
export function refuseToRun(): never {
  throw new MldsError('STUDY', 'the trials of a study are run by the program that asks for them', {
    hint: 'run that program again: openStudy goes on where it stopped; mlds status, best, figure, export and verify work without it',
  })
}
