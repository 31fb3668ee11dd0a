/** One line for the job log. A note with `lost` means that something was not restored as it was. */
export interface RestoreNote {
  readonly text: string;
  readonly lost: boolean;
}

/** More notes than this are counted, not kept. */
export const NOTES_MAX = 1_000;

/**
 * A bounded list of notes. What would be said for every file (no privilege for owners, say) is said once and
 * counted.
 */
export class RestoreNotes {
  readonly #notes: RestoreNote[] = [];
  readonly #once = new Map<string, { note: RestoreNote; count: number }>();
  #dropped = 0;
  #lost = false;

  /** True once any note meant a loss: the restore is partial. */
  get lost(): boolean {
    return this.#lost;
  }

  add(note: RestoreNote): void {
    this.#lost ||= note.lost;
    if (this.#notes.length + this.#once.size < NOTES_MAX) this.#notes.push(note);
    else this.#dropped++;
  }

  /** Keeps the first note of each key and counts the others. Keys are few: they come from the program. */
  addOnce(key: string, note: RestoreNote): void {
    this.#lost ||= note.lost;
    const before = this.#once.get(key);
    if (before) before.count++;
    else this.#once.set(key, { note, count: 1 });
  }

  /** Hands over what has come since the last call; what is said once stays until `texts`. */
  take(): RestoreNote[] {
    return this.#notes.splice(0);
  }

  /** Hands over everything, the notes that are said once with their counts. */
  takeAll(): RestoreNote[] {
    const all = this.take();
    for (const { note, count } of this.#once.values()) {
      const more = count > 1 ? ` (${count} times in all)` : '';
      all.push({ text: note.text + more, lost: note.lost });
    }
    this.#once.clear();
    if (this.#dropped > 0) {
      all.push({ text: `${this.#dropped} further notes are not listed.`, lost: false });
    }
    this.#dropped = 0;
    return all;
  }
}
