/** Characters that are kept at most. */
const TEXT_MAX = 8 * 1024 * 1024;

/**
 * Payloads of outbox rows that this process has just committed, so that its relay need not read them
 * back. It may lose any of them: the table has them all.
 */
export class RecentPayloads {
  private readonly payloads = new Map<string, string>();
  private size = 0;

  /** By message id, as they are now. */
  all(): ReadonlyMap<string, string> {
    return new Map(this.payloads);
  }

  add(messageId: string, payload: string): void {
    this.payloads.set(messageId, payload);
    this.size += payload.length;
    // What another replica has sent is never asked for here: the oldest go.
    for (const oldest of this.payloads.keys()) {
      if (this.size <= TEXT_MAX) return;
      this.forget(oldest);
    }
  }

  forget(messageId: string): void {
    this.size -= this.payloads.get(messageId)?.length ?? 0;
    this.payloads.delete(messageId);
  }
}
