import type { ChunkVolume } from './chunk-volume.js';
import { ContainerWriter } from './containers/container-writer.js';

/**
 * Begins a container. Its id stands among those that are being written before there is a file, so that
 * no collection takes it for one that a crash has left; whoever begins it takes its id out again.
 */
export async function beginContainer(
  { files, gate, writing }: Pick<ChunkVolume, 'files' | 'gate' | 'writing'>,
  domain: string,
): Promise<ContainerWriter> {
  const id = files.newId();
  writing.add(id);
  try {
    return await ContainerWriter.create(files, { id, domain }, gate);
  } catch (error) {
    writing.delete(id);
    throw error;
  }
}
