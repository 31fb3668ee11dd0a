#!/usr/bin/env node
/**
 * `npm run demo [-- PATH]`: set-up, then the demo, in this same process: its exit code is ours, and
 * signals reach it at once.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { CHECKOUT, setUpOrExit } from './setup.mjs';

await setUpOrExit();
const demo = join(CHECKOUT, 'dist/test/demo/demo.js');
process.argv[1] = demo;
await import(pathToFileURL(demo).href);
