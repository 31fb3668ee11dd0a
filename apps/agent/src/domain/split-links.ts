/** Inodes with links that were passed over and others to come that are remembered; about 150 bytes each. */
const PASSED_MAX = 1_000_000;

/**
 * Counts the files that an incremental stores as files of their own, although they are links of ones that it passes over, since
 * those have not changed: links are joined within one image only, so a restore makes separate files of them. To be told
 * of links in the order of the walk. A backup that goes on with an image does not know what was passed over before.
 */
export class SplitLinks {
  /** How many links are still to come of each. */
  readonly #passed = new Map<string, number>();
  #count = 0;

  constructor(private readonly passedMax = PASSED_MAX) {}

  get count(): number {
    return this.#count;
  }

  /** A link of the inode has not changed. @param links how many the inode has, this one included */
  pass(inode: string, links: number): void {
    const left = (this.#passed.get(inode) ?? links) - 1;
    if (left <= 0) this.#passed.delete(inode);
    else if (this.#passed.size < this.passedMax || this.#passed.has(inode)) {
      this.#passed.set(inode, left);
    }
  }

  /** A link of the inode is stored, with its content. Further ones become links of it. */
  store(inode: string): void {
    if (this.#passed.delete(inode)) this.#count += 1;
  }
}
