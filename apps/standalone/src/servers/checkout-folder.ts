import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { PermanentError } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

/** The folder of the checkout that this code is part of, be it built or a source under test. */
export function checkoutFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'nest-cli.json'))) {
    if (folder === dirname(folder)) {
      throw new PermanentError(
        STATUS.fileOpenFailed,
        'Holdfast runs outside of its checkout: no nest-cli.json above.',
      );
    }
    folder = dirname(folder);
  }
  return folder;
}

/** Where servers that were fetched lie. */
export function serverCache(checkout: string, env: NodeJS.ProcessEnv): string {
  return env['HOLDFAST_CACHE'] || join(checkout, '.cache', 'servers');
}
