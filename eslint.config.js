import tseslint from 'typescript-eslint'

const named = '/^(params|metrics|artifacts|series)$/'
/** A metric may be called `constructor`: what every object inherits is nobody's value. */
const lookUps = [
  `MemberExpression[computed=true][property.type!='Literal']:matches([object.property.name=${named}], [object.name=${named}])`,
  `BinaryExpression[operator='in']:matches([right.property.name=${named}], [right.name=${named}])`,
].map((selector) => ({ selector, message: 'Names come from outside: use lookUp or Object.hasOwn.' }))
/** Arguments lie on the stack, and some 120,000 overflow it. */
const spreads = [
  {
    selector: "CallExpression[callee.object.name='Math'][callee.property.name=/^(min|max)$/] > SpreadElement",
    message: 'Many values overflow the stack: use minOf or maxOf of src/core/extremes.ts.',
  },
  {
    selector:
      'CallExpression[callee.property.name=/^(push|unshift|splice|fromCharCode|fromCodePoint)$/] > SpreadElement',
    message: 'Many values overflow the stack: add them one by one.',
  },
]

export default tseslint.config(
  { ignores: ['dist', 'node_modules', 'bin', 'scripts', '**/*.js', '**/*.mjs', '**/*.cjs', '.cache'] },
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/require-await': 'off',
    },
  },
  { files: ['src/**'], rules: { 'no-restricted-syntax': ['error', ...lookUps, ...spreads] } },
)
