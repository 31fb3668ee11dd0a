import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { checkoutFolder } from './servers/checkout-folder.js';
import { defaultDataFolder, up } from './up.js';

try {
  const dataFolder = process.env['HOLDFAST_DATA'] ?? (await defaultDataFolder(checkoutFolder()));
  await up({ dataFolder });
  process.exit(0);
} catch (error) {
  const plain = error instanceof PermanentError || error instanceof Unavailable;
  process.stderr.write(`${plain || !(error instanceof Error) ? messageOf(error) : error.stack}\n`);
  process.exit(1);
}
