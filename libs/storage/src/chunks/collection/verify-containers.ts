import { messageOf } from '#kernel/errors.js';
import { ContainerDamaged } from '../../errors.js';
import type { ChunkPlaces } from '../chunk-places.js';
import type { ContainerFiles } from '../containers/container-files.js';
import { ContainerReader } from '../containers/container-reader.js';

/** The containers of a volume, and what is known of them. */
export interface Containers {
  readonly files: ContainerFiles;
  readonly places: ChunkPlaces;
}

export interface ContainerVerdict {
  readonly container: string;
  readonly chunks: number;
  /** What is wrong with it, frame by frame. */
  readonly damage: readonly string[];
}

/** Reads all containers, checks each frame by its digest and each chunk by its id. */
export async function* verifyContainers(volume: Containers): AsyncIterable<ContainerVerdict> {
  for (const container of volume.places.list()) {
    const verdict = await verifyContainer(volume, container);
    if (verdict) yield verdict;
  }
}

/** Which chunks of a container, which nobody knows yet, are what their ids say; those it does not have are not. */
export async function soundChunks(volume: Containers, container: string): Promise<boolean[]> {
  const sound: boolean[] = [];
  let reader: ContainerReader | undefined;
  try {
    reader = await ContainerReader.open(volume.files, container);
    for (let frame = 0; frame < (reader?.table.frames ?? 0); frame += 1) {
      sound.push(...(await reader!.soundIn(frame)));
    }
    return sound;
  } catch (error) {
    if (!(error instanceof ContainerDamaged)) throw error;
    return [];
  } finally {
    await reader?.close();
  }
}

/** Undefined for a container that was collected meanwhile. What is lost is remembered. */
export async function verifyContainer(
  volume: Containers,
  container: string,
): Promise<ContainerVerdict | undefined> {
  let reader: ContainerReader | undefined;
  const damage: string[] = [];
  try {
    reader = await ContainerReader.open(volume.files, container);
    if (!reader) {
      const isKnown = volume.places.list().includes(container);
      if (!isKnown) return undefined;
      volume.places.losses.addAll(container);
      return { container, chunks: 0, damage: ['it is missing'] };
    }
    for (let frame = 0; frame < reader.table.frames; frame += 1) {
      const found = await verifyFrame(reader, frame);
      damage.push(...found);
      const [first, end] = reader.table.ordinalsOf(frame);
      const ordinals = Array.from({ length: end - first }, (_, nth) => first + nth);
      if (found.length > 0) volume.places.losses.add(container, ordinals);
    }
    return { container, chunks: reader.table.chunks, damage };
  } catch (error) {
    if (!(error instanceof ContainerDamaged)) throw error;
    volume.places.losses.addAll(container);
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
