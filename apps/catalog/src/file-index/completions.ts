import { Injectable } from '@nestjs/common';

/**
 * Tells those who wait for it that an image is complete, now that its last file index is loaded, so that
 * they need not ask again a moment later. It knows of this process alone: where another one has loaded it,
 * the event says so.
 */
@Injectable()
export class Completions {
  private readonly waiting = new Map<string, Set<(isComplete: boolean) => void>>();

  /** Resolves with true as soon as the image is complete, with false after `ms`. From the call on none is missed. */
  within(imageId: string, ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const waiters = this.waiting.get(imageId) ?? new Set();
      this.waiting.set(imageId, waiters);
      const end = (isComplete: boolean) => {
        clearTimeout(timer);
        waiters.delete(end);
        if (waiters.size === 0) this.waiting.delete(imageId);
        resolve(isComplete);
      };
      const timer = setTimeout(() => end(false), ms);
      waiters.add(end);
    });
  }

  /** To be called when that is committed. */
  tell(imageId: string): void {
    for (const end of [...(this.waiting.get(imageId) ?? [])]) end(true);
  }
}
