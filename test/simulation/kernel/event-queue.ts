/** What happens; false where nothing came of it, and nobody need look. */
export type Happening = () => void | false;

interface Entry {
  /** Virtual milliseconds. */
  readonly at: number;
  /** Decides between entries of the same millisecond: the order in which they came. */
  readonly order: number;
  readonly run: Happening;
}

/** What is still to happen, the earliest first: a binary heap. */
export class EventQueue {
  private readonly heap: Entry[] = [];
  private count = 0;

  get size(): number {
    return this.heap.length;
  }

  add(at: number, run: Happening): void {
    this.count += 1;
    this.heap.push({ at, order: this.count, run });
    this.rise(this.heap.length - 1);
  }

  /** When the next one is due. */
  nextAt(): number | undefined {
    return this.heap[0]?.at;
  }

  take(): Entry | undefined {
    const first = this.heap[0];
    const last = this.heap.pop();
    if (first !== undefined && last !== undefined && first !== last) {
      this.heap[0] = last;
      this.sink(0);
    }
    return first;
  }

  private rise(start: number): void {
    for (let at = start; at > 0;) {
      const parent = (at - 1) >> 1;
      if (!isBefore(this.heap[at]!, this.heap[parent]!)) return;
      this.swap(at, parent);
      at = parent;
    }
  }

  private sink(start: number): void {
    for (let at = start; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2];
      let least = at;
      for (const child of [left, right]) {
        const candidate = this.heap[child];
        if (candidate && isBefore(candidate, this.heap[least]!)) least = child;
      }
      if (least === at) return;
      this.swap(at, least);
      at = least;
    }
  }

  private swap(one: number, other: number): void {
    [this.heap[one], this.heap[other]] = [this.heap[other]!, this.heap[one]!];
  }
}

function isBefore(one: Entry, other: Entry): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}
