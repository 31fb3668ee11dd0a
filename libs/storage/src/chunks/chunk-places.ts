import { assert } from '#kernel/assert.js';
import { ChunkLosses } from './index/chunk-losses.js';
import {
  IndexDamaged,
  IndexStopped,
  type ChunkIndex,
  type CollectedContainer,
  type ContainerContent,
  type Move,
} from './index/chunk-index.js';
import { ChunkMap, type Place } from './index/chunk-map.js';

/** Look-ups of an entry that leads to no container: more than one can be overtaken by a collection. */
const TRIES_MAX = 5;

/**
 * Where chunks are, for all who work on a volume at once. Nobody waits for a collection as a whole:
 * only who meets a container in the moment in which its chunks change over waits for that moment, and
 * who changes the index (a container is closed, a recipe sealed or released), since changes come one by one.
 *
 * A **held map** names chunks that may not go, whatever their counts: what a session was told is
 * there, or what a recipe that is being sealed names. It follows its chunks when they move.
 */
export class ChunkPlaces {
  private readonly containers = new Set<string>();
  private readonly changingOver = new Map<string, Promise<void>>();
  private readonly held = new Set<ChunkMap>();
  private changes: Promise<unknown> = Promise.resolve();
  /** What was found to be lost where it lies. */
  readonly losses = new ChunkLosses();
  /** Rises when chunks move out of a container that stays: an answer from before is asked for again. */
  private healings = 0;
  /** Rises when the place of a chunk changes: what was looked up before counts no more, but where a held map has it. */
  moves = 0;
  /** Set when the index is damaged, or takes no changes any more. */
  failure: Error | undefined;

  /** @param containers The closed containers that are in the index. */
  constructor(
    private readonly index: ChunkIndex,
    containers: Iterable<string>,
  ) {
    for (const id of containers) this.containers.add(id);
  }

  hold(): ChunkMap {
    const map = new ChunkMap();
    this.held.add(map);
    return map;
  }

  letGo(map: ChunkMap): void {
    this.held.delete(map);
  }

  list(): string[] {
    return [...this.containers];
  }

  /**
   * Where chunks are, at most `IDS_PER_BATCH_MAX`. What is found is in the held map before anything
   * else can happen, so it stays.
   */
  async find(
    domain: string,
    ids: readonly Buffer[],
    map?: ChunkMap,
  ): Promise<(Place | undefined)[]> {
    const found: (Place | undefined)[] = ids.map(() => undefined);
    let open = ids.map((_, at) => at);
    for (let tries = 0; open.length > 0 && tries < TRIES_MAX; tries += 1) {
      const { healings } = this;
      const asked = open.map((at) => ids[at]!);
      const places = await this.noticing(() => this.index.lookup(domain, asked));
      if (healings !== this.healings) {
        tries -= 1;
        continue;
      }
      const waits = new Set<Promise<void>>();
      const again: number[] = [];
      for (const [nth, at] of open.entries()) {
        const place = places[nth];
        if (!place) continue;
        const changing = this.changingOver.get(place.container);
        if (changing) waits.add(changing);
        if (changing || !this.containers.has(place.container)) again.push(at);
        else {
          found[at] = place;
          map?.add(place);
        }
      }
      if (waits.size > 0) tries -= 1;
      await Promise.all(waits);
      open = again;
    }
    return found;
  }

  /**
   * Takes in a closed container and holds what it holds, wherever the index has it; held maps that have named
   * its chunks already, as it was written, name them there. What was read of it and is right heals:
   * what is lost where it lay is found in it from then on.
   * @param sound Which of its chunks were read and are right; none, if left out.
   * @param taken is told where its chunks are in the moment in which the maps are: whoever names one of them a moment
   * later, as it was written, would be missed
   */
  add(
    content: ContainerContent,
    map: ChunkMap,
    {
      sound,
      taken,
    }: { sound?: readonly boolean[] | undefined; taken?: (at: readonly Place[]) => void } = {},
  ): Promise<void> {
    return this.alone(async () => {
      const losers = sound ? this.losses.containers() : [];
      return this.whileChanging(losers, async () => {
        const isLost = (place: Place, ordinal: number) =>
          sound?.[ordinal] === true && this.losses.has(place);
        const added = await this.index.add(content, isLost);
        assert(added, 'a container is taken in twice');
        const { places, moves } = added;
        const moved = byContainer(moves);
        for (const held of this.held) {
          held.move(content.id, (ordinal) => places[ordinal]!);
          follow(held, moved);
        }
        this.losses.forget(moves.map(({ from }) => from));
        if (moves.length > 0) {
          this.healings += 1;
          this.moves += 1;
        }
        this.containers.add(content.id);
        // No collection changes over meanwhile: this is a change, too.
        for (const place of places) map.add(place);
        taken?.(places);
      });
    });
  }

  /** See `ChunkIndex.change`. */
  change(holder: string, to: 'held' | 'released', map: ChunkMap): Promise<void> {
    return this.alone(() => this.index.change(holder, to, map));
  }

  isHolder(holder: string): Promise<boolean> {
    return this.noticing(() => this.index.isHolder(holder));
  }

  /** Which chunks of a container may not go; undefined if it has gone itself. */
  async live(container: string): Promise<boolean[] | undefined> {
    const counts = await this.noticing(() => this.index.counts(container));
    if (!counts || !this.containers.has(container)) return undefined;
    return this.liveOf(container, counts);
  }

  /**
   * Puts collected containers, which are durable, into the place of others. False, and nothing has
   * changed, if something is live by now that was not collected.
   * @param newPlace Where a chunk has been collected to, if it has.
   */
  changeOver(
    gone: readonly ContainerContent[],
    collected: readonly ContainerContent[],
    newPlace: (old: Place) => Place | undefined,
  ): Promise<boolean> {
    return this.alone(async () => {
      const concerned = [...gone, ...collected].map(({ id }) => id);
      return this.whileChanging(concerned, async () => {
        const counts = new Map<string, Uint32Array>();
        for (const { id } of gone) counts.set(id, (await this.index.counts(id))!);
        // From here on nobody holds another chunk of these: whoever finds one waits until it is over.
        const missing = gone.some(({ id }) =>
          this.liveOf(id, counts.get(id)!).some((live, ordinal) => {
            return live && !newPlace({ container: id, ordinal });
          }),
        );
        if (missing) return false;
        await this.index.replace(gone, withCounts(collected, counts, newPlace));
        for (const { id } of gone) {
          for (const map of this.held) {
            map.move(id, (ordinal) => newPlace({ container: id, ordinal })!);
          }
          this.containers.delete(id);
        }
        this.moves += 1;
        for (const { id } of collected) this.containers.add(id);
        this.losses.drop(gone.map(({ id }) => id));
        return true;
      });
    });
  }

  /** Whoever meets one of these containers meanwhile waits until it is over. */
  private async whileChanging<T>(concerned: readonly string[], work: () => Promise<T>): Promise<T> {
    let over = () => {};
    const changing = new Promise<void>((resolve) => (over = resolve));
    for (const id of concerned) this.changingOver.set(id, changing);
    try {
      return await work();
    } finally {
      for (const id of concerned) this.changingOver.delete(id);
      over();
    }
  }

  /** Resolves when no change is on its way. */
  async settled(): Promise<void> {
    await this.changes;
  }

  private liveOf(container: string, counts: Uint32Array): boolean[] {
    const live = Array.from(counts, (count) => count > 0);
    for (const map of this.held) {
      for (const ordinal of map.ordinals(container)) live[ordinal] = true;
    }
    return live;
  }

  private async noticing<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof IndexDamaged || error instanceof IndexStopped) this.failure ??= error;
      throw error;
    }
  }

  /** One change at a time, in the order in which they were asked for. */
  private alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.changes.then(() => this.noticing(work));
    this.changes = result.catch(() => undefined);
    return result;
  }
}

/** Where chunks have moved to, by container and ordinal: a map is rebuilt once for each container. */
function byContainer(moves: readonly Move[]): Map<string, Map<number, Place>> {
  const moved = new Map<string, Map<number, Place>>();
  for (const { from, to } of moves) {
    const places = moved.get(from.container) ?? new Map<number, Place>();
    places.set(from.ordinal, to);
    moved.set(from.container, places);
  }
  return moved;
}

/** What a map names has moved. */
function follow(map: ChunkMap, moved: ReadonlyMap<string, ReadonlyMap<number, Place>>): void {
  for (const [container, places] of moved) {
    map.move(container, (ordinal) => places.get(ordinal) ?? { container, ordinal });
  }
}

function withCounts(
  collected: readonly ContainerContent[],
  counts: ReadonlyMap<string, Uint32Array>,
  newPlace: (old: Place) => Place | undefined,
): CollectedContainer[] {
  const brought = new Map(
    collected.map((content) => [content.id, new Uint32Array(content.ids.length)]),
  );
  for (const [container, old] of counts) {
    old.forEach((count, ordinal) => {
      const place = newPlace({ container, ordinal });
      if (place) brought.get(place.container)![place.ordinal] = count;
    });
  }
  return collected.map((content) => ({ ...content, counts: brought.get(content.id)! }));
}
