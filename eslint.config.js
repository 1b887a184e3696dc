import tseslint from 'typescript-eslint'

const named = '/^(params|metrics|artifacts|series)$/'

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
      // A metric may be called `constructor`: what every object inherits is nobody's value.
      'no-restricted-syntax': [
        'error',
        ...[
          `MemberExpression[computed=true][property.type!='Literal']:matches([object.property.name=${named}], [object.name=${named}])`,
          `BinaryExpression[operator='in']:matches([right.property.name=${named}], [right.name=${named}])`,
        ].map((selector) => ({ selector, message: 'Names come from outside: use lookUp or Object.hasOwn.' })),
      ],
    },
  },
)
