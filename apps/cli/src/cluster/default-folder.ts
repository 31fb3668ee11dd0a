import { lstatSync, symlinkSync } from 'node:fs';
import { reachableDataFolder } from '../../../standalone/src/servers/data-folder.js';

/**
 * The data folder of a cluster for which nobody named one: `wanted`, or where PostgreSQL's user
 * cannot get there, a folder elsewhere, to which `wanted` becomes a link. So every other command
 * finds it at `wanted`, too.
 */
export async function defaultFolder(wanted: string): Promise<string> {
  const reachable = await reachableDataFolder(wanted);
  // Of an earlier start it may lead to nothing: that one ended before it made the folder, or somebody removed it.
  const isThere = lstatSync(wanted, { throwIfNoEntry: false }) !== undefined;
  if (reachable !== wanted && !isThere) symlinkSync(reachable, wanted);
  return reachable;
}
