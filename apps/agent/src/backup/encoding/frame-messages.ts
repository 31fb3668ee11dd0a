/** What the thread that makes frames is told: the compression level of the backup that begins, and then each frame. */
export type FrameRequest =
  | { readonly level: number }
  | {
      /** Stands for a memory: one frame at a time is made in each. */
      readonly slot: number;
      /** The memory, when this is the first time. */
      readonly memory: SharedArrayBuffer | undefined;
      /** Bytes of data in it. */
      readonly length: number;
    };

/** What it says of each frame, in no order. */
export type FrameAnswer =
  | {
      readonly slot: number;
      /** See `FrameFacts`. */
      readonly made: {
        readonly bytes: number;
        readonly isRaw: boolean;
        readonly digest: Uint8Array;
      };
    }
  | { readonly slot: number; readonly failure: string };
