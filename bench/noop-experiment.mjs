// Trials that do nothing: what remains is the sweep's own cost.
export default {
  name: 'noop',
  aliases: [],
  version: 1,
  title: 'Nothing',
  question: 'What does a trial cost besides its work?',
  source: 'none',
  objective: { metric: 'n', direction: 'maximize' },
  stages: [
    {
      name: 'main',
      space: { n: { kind: 'integer', default: 0, doc: 'a number' } },
      data: () => [],
      cost: () => 1,
      run: async ({ n }) => ({ n }),
    },
  ],
  profiles: { smoke: { axes: {}, seeds: [0] }, reduced: { axes: {}, seeds: [0] }, full: { axes: {}, seeds: [0] } },
  figures: [],
  claims: [],
}
