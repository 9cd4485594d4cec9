import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules/", ".venv/", ".setup/", "data/", "figures/", "site/", "**/*.cjs", "**/*.mjs"] },
  {
    files: ["**/*.ts", "**/*.mts"],
    extends: [tseslint.configs.recommended],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/no-for-in-array": "error",
      "@typescript-eslint/only-throw-error": "error",
      "@typescript-eslint/prefer-promise-reject-errors": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/no-unused-vars": [
        "error",
        { argsIgnorePattern: "^_", varsIgnorePattern: "^_", destructuredArrayIgnorePattern: "^_" },
      ],
      eqeqeq: "error",
      // Prettier breaks code at 120 columns and leaves comments alone.
      "max-len": ["error", { code: 1000, comments: 120, ignoreUrls: true }],
    },
  },
  {
    // Shared code takes tensors from one place, so that the engine can be chosen there.
    files: ["lib/**/*.ts"],
    ignores: ["lib/engine/**"],
    rules: {
      "@typescript-eslint/no-restricted-imports": [
        "error",
        { patterns: [{ group: ["@tensorflow/*"], message: 'import { tf } from "../engine/tensorflow"' }] },
      ],
    },
  },
);
