import type { FragmentView } from '#contracts/image.js';
import { messageOf } from '#kernel/errors.js';
import { sourceFault } from '../domain/source-fault.js';
import type { DuplicateSources } from './duplicate-sources.js';
import type { FragmentSource } from './fragment-source.js';

/** Runs work on one source after the other until one can do it. */
export type FromAnySource = <T>(work: (source: FragmentSource) => Promise<T>) => Promise<T>;

export interface AnySourceOptions {
  readonly sources: Pick<DuplicateSources, 'open' | 'drop'>;
  /** The fragments that hold the same bytes, the best first. */
  readonly views: readonly FragmentView[];
  /** A source that could not be read or is not what was committed. */
  readonly onSuspect: (fragment: FragmentView, reason: string) => void;
}

/**
 * One number of an image, read from whichever of its fragments can give what is asked for. A source that is
 * damaged in one place may be good in another; one that is lost is not tried on.
 */
export class AnySource {
  private readonly left: FragmentView[];
  private readonly opened = new Map<FragmentView, Promise<FragmentSource>>();
  private readonly working = new Set<Promise<void>>();
  private failure: unknown;

  constructor(private readonly options: AnySourceOptions) {
    this.left = [...options.views];
  }

  /** Throws the failure of the sources when none is left, and any other at once. */
  readonly from: FromAnySource = (work) => {
    const result = this.tryAll(work);
    const over = result.then(noop, noop).finally(() => this.working.delete(over));
    this.working.add(over);
    return result;
  };

  /** When what is under way has ended. Never throws: nothing was written by what is closed here. */
  async close(): Promise<void> {
    await Promise.all(this.working);
    for (const opening of this.opened.values()) {
      await opening.then((source) => source.close()).catch(noop);
    }
    this.opened.clear();
  }

  private async tryAll<T>(work: (source: FragmentSource) => Promise<T>): Promise<T> {
    for (const view of [...this.left]) {
      let isOpen = false;
      try {
        const source = await this.open(view);
        isOpen = true;
        return await work(source);
      } catch (error) {
        const fault = faultOf(view, error, this.options);
        // What may come back later is the better reason to end: the job tries again.
        if (sourceFault(this.failure) !== 'lost') this.failure = error;
        if (fault === 'lost' || !isOpen) this.leaveOut(view);
      }
    }
    throw this.failure;
  }

  private open(view: FragmentView): Promise<FragmentSource> {
    const known = this.opened.get(view);
    if (known) return known;
    const opening = this.options.sources.open(view);
    this.opened.set(view, opening);
    return opening;
  }

  private leaveOut(view: FragmentView): void {
    const at = this.left.indexOf(view);
    if (at >= 0) this.left.splice(at, 1);
  }
}

/** What an error says of a source, which is dropped and told of as that needs. Rethrows what is not its fault. */
export function faultOf(
  view: FragmentView,
  error: unknown,
  { sources, onSuspect }: Pick<AnySourceOptions, 'sources' | 'onSuspect'>,
): 'damaged' | 'lost' {
  const fault = sourceFault(error);
  if (fault === undefined) throw error;
  sources.drop(view, error);
  if (fault === 'damaged') onSuspect(view, messageOf(error));
  return fault;
}

function noop(): undefined {
  return undefined;
}
