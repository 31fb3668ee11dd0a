import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

import { checkoutFolder } from '../../apps/standalone/src/servers/checkout-folder.js';

/** Arguments with which Node runs the sources, also in a thread. */
export const RUN_TYPESCRIPT: readonly string[] = [
  '--import',
  pathToFileURL(join(checkoutFolder(), 'test/support/run-typescript.mjs')).href,
];
