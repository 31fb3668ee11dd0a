import { register } from 'node:module';

/**
 * Lets a plain Node process or thread run the sources: `node --import run-typescript.mjs file.ts`. For tests of what
 * must run in one of its own, which the test runner does not transform.
 */
register('./typescript-hooks.mjs', import.meta.url);
