// Trials that do nothing, or nothing for a while: what remains is the sweep's own cost.
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
      space: {
        n: { kind: 'integer', default: 0, doc: 'a number' },
        ms: { kind: 'integer', default: 0, doc: 'how long it takes' },
      },
      data: () => [],
      cost: () => 1,
      run: async ({ n, ms }) => {
        if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms))
        return { n }
      },
    },
  ],
  profiles: { smoke: { axes: {}, seeds: [0] }, reduced: { axes: {}, seeds: [0] }, full: { axes: {}, seeds: [0] } },
  figures: [],
  claims: [],
}
