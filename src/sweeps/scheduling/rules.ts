import { asha } from './asha.js'
import { hyperband } from './hyperband.js'
import { median } from './median.js'
import { plateau } from './plateau.js'
import type { Rules } from './rule.js'
import { successiveHalving } from './successive-halving.js'
import { target } from './target.js'

/**
 * The rules that may stop trials early. Sweep files, `--scheduler` and its help, shell completion and the JSON Schema know
 * them from here; the table in docs/stopping.md is held against this one.
 */
export const stoppingRules: Rules = {
  asha,
  hyperband,
  'successive-halving': successiveHalving,
  median,
  plateau,
  target,
}

export const ruleNames: readonly string[] = Object.keys(stoppingRules)

/** Each rule as `--scheduler` takes it. */
export const ruleExamples: readonly string[] = Object.entries(stoppingRules).map(([name, { example }]) =>
  example === undefined ? name : `${name}:${example}`,
)

/** The rows of the table of rules, as docs/stopping.md has them. */
export const describeRuleTable = (rules: Rules = stoppingRules): string[] =>
  Object.entries(rules).map(([name, { stops, numbers }]) => {
    const told = Object.entries(numbers).map(([number, value]) =>
      value === 'needed' ? `\`${number}\`` : `\`${number}\` ${value.default}`,
    )
    return `| \`${name}\` | ${stops} | ${told.join(', ')} |`
  })
