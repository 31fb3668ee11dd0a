import { CONTAINER_BYTES_MAX, CONTAINER_CHUNKS_MAX } from '../containers/container-format.js';

/** What is known of a container to be collected; it is opened again when it comes to that. */
export interface Candidate {
  readonly id: string;
  readonly isWasteful: boolean;
  readonly chunks: number;
  readonly liveBytes: number;
  readonly liveChunks: number;
}

/** Containers of a domain that are collected together. */
export interface Group {
  readonly domain: string;
  readonly containers: readonly string[];
}

/** Containers that are collected at once. */
const GROUP_MAX = 64;
/**
 * Chunks, dead ones too, whose tables are in memory at once; and each is looked up while the index changes over, 12 µs for
 * which whoever seals waits.
 */
const TABLES_MAX = 4 * CONTAINER_CHUNKS_MAX;

/**
 * Where the collection of a volume is, kept from one that was cut to the next: a volume that takes longer than one
 * collection may is gone through by several, and what they have found comes together. What is known here may be old
 * by the time that it is used; whoever collects a group looks at its containers again. A few dozen bytes for each
 * container; a process that ends forgets it.
 */
export class UnfinishedCollection {
  private open: string[] = [];
  private readonly groups = new Map<string, Candidate[]>();
  /** Those for which there was no room. */
  private cramped: Group[] = [];

  get isUnderWay(): boolean {
    return this.open.length + this.groups.size + this.cramped.length > 0;
  }

  /** Each of these is to be looked at once. */
  begin(containers: readonly string[]): void {
    this.open = [...containers].reverse();
  }

  /** The next container to be looked at. It is not given again, so that one that fails holds up no other. */
  nextContainer(): string | undefined {
    return this.open.pop();
  }

  /** Gives the candidate's group when what lives in it makes about one container. */
  add(domain: string, candidate: Candidate): Group | undefined {
    const group = this.groups.get(domain) ?? [];
    group.push(candidate);
    this.groups.set(domain, group);
    return isFull(group) ? this.take(domain) : undefined;
  }

  /** A group that is not full, for when there is nothing more to come. */
  nextGroup(): Group | undefined {
    for (const domain of this.groups.keys()) {
      const group = this.take(domain);
      if (group) return group;
    }
    return undefined;
  }

  /** There was no room for it. */
  putOff(group: Group): void {
    this.cramped.push(group);
  }

  nextPutOff(): Group | undefined {
    return this.cramped.pop();
  }

  private take(domain: string): Group | undefined {
    const group = this.groups.get(domain) ?? [];
    this.groups.delete(domain);
    // One that is merely small gains nothing by itself.
    if (group.length === 1 && !group[0]!.isWasteful) return undefined;
    return { domain, containers: group.map(({ id }) => id) };
  }
}

/** What lives of a group goes into about one container. */
function isFull(group: readonly Candidate[]): boolean {
  const sum = (of: (one: Candidate) => number) => group.reduce((all, one) => all + of(one), 0);
  return (
    sum(({ liveBytes }) => liveBytes) >= CONTAINER_BYTES_MAX / 2 ||
    sum(({ liveChunks }) => liveChunks) >= CONTAINER_CHUNKS_MAX / 2 ||
    sum(({ chunks }) => chunks) >= TABLES_MAX ||
    group.length >= GROUP_MAX
  );
}
