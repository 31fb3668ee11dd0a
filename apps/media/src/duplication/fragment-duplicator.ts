import type { FragmentView } from '#contracts/image.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';
import { FragmentUnreadable } from '#storage/errors.js';
import { AnySource, faultOf } from './any-source.js';
import type { DuplicateSources } from './duplicate-sources.js';
import type { FragmentTarget } from './fragment-target.js';
import { copyFrames, readIndex } from './normal-copy.js';
import { copyWhole } from './optimized-copy.js';

export interface FragmentDuplicatorOptions {
  readonly sources: DuplicateSources;
  readonly target: FragmentTarget;
  readonly log: (severity: 'info' | 'warning' | 'error', text: string) => void;
  /** A source that could not be read or is not what was committed. */
  readonly onSuspect: (fragment: FragmentView, reason: string) => void;
  /** Stored bytes of the fragment that is being written now; from 0 again after a try that failed. */
  readonly onBytes: (bytes: number) => void;
}

/**
 * Brings one fragment into the further copy: by optimized duplication from the best source that can
 * give it, and when none can, by normal duplication out of all of them.
 */
export class FragmentDuplicator {
  private readonly suspects = new Set<string>();

  constructor(private readonly options: FragmentDuplicatorOptions) {}

  /**
   * @returns the id of the new fragment, which is sealed and offered. Throws a failure with a
   *   `sourceFault` when no source is left, and any other at once.
   */
  async duplicate(number: number, views: readonly FragmentView[]): Promise<string> {
    const readable = this.options.sources.readable(views);
    if (readable.length === 0) throw this.noSource(number, views);
    const made = await this.optimized(number, readable);
    if (made !== undefined) return made;
    this.options.log('warning', 'Continuing with normal duplication.');
    return this.normal(readable);
  }

  private async optimized(
    number: number,
    views: readonly FragmentView[],
  ): Promise<string | undefined> {
    for (const view of views) {
      try {
        return await this.copyFrom(view);
      } catch (error) {
        faultOf(view, error, { sources: this.options.sources, onSuspect: this.suspect });
        const from = `fragment ${number} from @${view.mediaId}/${view.pool}`;
        this.options.log('error', `optimized duplication of ${from} failed: ${messageOf(error)}`);
      }
    }
    return undefined;
  }

  private async copyFrom(view: FragmentView): Promise<string> {
    const { sources, target } = this.options;
    const source = await sources.open(view);
    try {
      const onBytes = this.counter();
      return await target.make(source.manifest, (writer) => copyWhole(source, writer, onBytes));
    } finally {
      await source.close();
    }
  }

  private async normal(views: readonly FragmentView[]): Promise<string> {
    const { sources, target } = this.options;
    const any = new AnySource({ sources, views, onSuspect: this.suspect });
    const { from } = any;
    try {
      const index = await from(readIndex);
      const onBytes = this.counter();
      return await target.make(index.manifest, (writer) =>
        copyFrames(index, { writer, from, onBytes }),
      );
    } finally {
      await any.close();
    }
  }

  /** Once each: the catalog has it looked at then. */
  private readonly suspect = (view: FragmentView, reason: string): void => {
    if (this.suspects.has(view.fragmentId)) return;
    this.suspects.add(view.fragmentId);
    this.options.onSuspect(view, reason);
  };

  private counter(): (bytes: number) => void {
    let written = 0;
    this.options.onBytes(0);
    return (bytes) => {
      written += bytes;
      this.options.onBytes(written);
    };
  }

  private noSource(number: number, views: readonly FragmentView[]): Error {
    const [view] = views;
    if (!view) return new FragmentUnreadable(`number ${number}`, 'is whole in no other copy');
    const where = views.map(({ mediaId }) => mediaId).join(', ');
    return new Unavailable(
      `fragment ${number} is on ${where}, which this job cannot read from`,
      STATUS.cannotConnect,
    );
  }
}
