import { messageOf } from '#kernel/errors.js';
import { ContainerDamaged } from '../../errors.js';
import type { ChunkVolume } from '../chunk-volume.js';
import { ContainerReader } from '../containers/container-reader.js';

export interface ContainerVerdict {
  readonly container: string;
  readonly chunks: number;
  /** What is wrong with it, frame by frame. */
  readonly damage: readonly string[];
}

/** Reads all containers, checks each frame by its digest and each chunk by its id. */
export async function* verifyContainers(volume: ChunkVolume): AsyncIterable<ContainerVerdict> {
  for (const container of volume.places.list()) {
    const verdict = await verifyContainer(volume, container);
    if (verdict) yield verdict;
  }
}

/** Undefined for a container that was collected meanwhile. */
async function verifyContainer(
  volume: ChunkVolume,
  container: string,
): Promise<ContainerVerdict | undefined> {
  let reader: ContainerReader | undefined;
  const damage: string[] = [];
  try {
    reader = await ContainerReader.open(volume.files, container);
    if (!reader) {
      const isKnown = volume.places.list().includes(container);
      return isKnown ? { container, chunks: 0, damage: ['it is missing'] } : undefined;
    }
    for (let frame = 0; frame < reader.frames.length; frame += 1) {
      damage.push(...(await verifyFrame(reader, frame)));
    }
    return { container, chunks: reader.places.length, damage };
  } catch (error) {
    if (!(error instanceof ContainerDamaged)) throw error;
    return { container, chunks: 0, damage: [error.message] };
  } finally {
    await reader?.close();
  }
}

async function verifyFrame(reader: ContainerReader, frame: number): Promise<string[]> {
  try {
    await reader.readWhole(frame);
    return [];
  } catch (error) {
    if (!(error instanceof ContainerDamaged)) throw error;
    return [messageOf(error)];
  }
}
