import { existsSync, symlinkSync } from 'node:fs';
import { reachableDataFolder } from '../../../standalone/src/servers/data-folder.js';

/**
 * The data folder of a cluster for which nobody named one: `wanted`, or where PostgreSQL's user
 * cannot get there, a folder elsewhere, to which `wanted` becomes a link. So every other command
 * finds it at `wanted`, too.
 */
export async function defaultFolder(wanted: string): Promise<string> {
  const reachable = await reachableDataFolder(wanted);
  if (reachable !== wanted && !existsSync(wanted)) symlinkSync(reachable, wanted);
  return reachable;
}
