import { command } from '../tools/command.js';

/** The room that folders take on their file systems, in megabytes (10^6 bytes); hard links count once. */
export async function storedMegabytes(folders: readonly string[]): Promise<number> {
  await command(['sync']);
  const said = await command(['du', '-s', '-B1', '-c', '--', ...folders]);
  return Number(/^(\d+)\s+total$/m.exec(said)![1]) / 1e6;
}
