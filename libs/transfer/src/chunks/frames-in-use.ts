/** Frames whose memory is somebody's until the chunks in them are settled. */
export class FramesInUse {
  /** In order, with where each ends. */
  readonly #frames: { readonly gone: (() => void) | undefined; readonly end: number }[] = [];
  #takenBytes = 0;
  #settledBytes = 0;

  /** The next frame. `gone` is called when its last chunk is settled. */
  add(archiveBytes: number, gone?: () => void): void {
    this.#takenBytes += archiveBytes;
    this.#frames.push({ gone, end: this.#takenBytes });
  }

  /** Chunks of so many bytes, behind those that were settled before, are not looked at any more. */
  settled(bytes: number): void {
    this.#settledBytes += bytes;
    while (this.#frames.length > 0 && this.#frames[0]!.end <= this.#settledBytes) {
      this.#frames.shift()!.gone?.();
    }
  }
}
