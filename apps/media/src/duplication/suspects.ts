import { messageOf } from '#kernel/errors.js';

/** Who has fragments checked. Throws `Unavailable` when it does not answer. */
export interface SuspectsCatalog {
  suspect(fragmentId: string, reason: string): Promise<void>;
}

/** Requests under way at once: a whole chain may lie on a disk that fails. */
const AT_ONCE_MAX = 64;

/** Fragments that could not be read, for the catalog to hear of: of each once, or twice where the first time failed. */
export class Suspects {
  private readonly known = new Set<string>();
  private untold = new Map<string, string>();
  private readonly failed = new Map<string, string>();

  constructor(
    private readonly catalog: SuspectsCatalog,
    private readonly log: (severity: 'warning', text: string) => void,
  ) {}

  /** @returns whether it is a new one */
  add(fragmentId: string, reason: string): boolean {
    if (this.known.has(fragmentId)) return false;
    this.known.add(fragmentId);
    this.untold.set(fragmentId, reason);
    return true;
  }

  /** Tells of those that are new, many at once. Never throws. */
  async tell(): Promise<void> {
    const untold = this.untold;
    this.untold = new Map();
    await this.tellAll(untold, (fragmentId, reason) => void this.failed.set(fragmentId, reason));
  }

  /** Tells of the rest, when the job ends. Never throws: a verification finds what stays unknown. */
  async tellRest(): Promise<void> {
    await this.tell();
    await this.tellAll(this.failed, (fragmentId, _, error) => {
      this.log('warning', `fragment ${fragmentId} was not checked: ${messageOf(error)}`);
    });
  }

  private async tellAll(
    suspects: ReadonlyMap<string, string>,
    onError: (fragmentId: string, reason: string, error: unknown) => void,
  ): Promise<void> {
    const all = [...suspects];
    for (let at = 0; at < all.length; at += AT_ONCE_MAX) {
      const telling = all.slice(at, at + AT_ONCE_MAX).map(([fragmentId, reason]) =>
        this.catalog.suspect(fragmentId, reason).catch((error: unknown) => {
          onError(fragmentId, reason, error);
        }),
      );
      await Promise.all(telling);
    }
  }
}
