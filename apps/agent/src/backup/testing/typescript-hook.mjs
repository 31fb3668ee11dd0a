/**
 * Lets a plain Node process or worker thread run the sources: `--import` this file. For tests of what must run in a
 * thread of its own, which the test runner does not transform.
 */
import { register } from 'node:module';

register(new URL('./typescript-loader.mjs', import.meta.url));
