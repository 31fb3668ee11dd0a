/** What the thread that makes frames is told. See `FrameMaker`. */
export type FrameRequest =
  /** Another backup, with this compression level. */
  | { readonly task: 'begin'; readonly level: number }
  | {
      readonly task: 'make' | 'raw';
      /** Stands for a memory: one frame at a time is made in each. */
      readonly slot: number;
      /** The memory, when this is the first time. */
      readonly memory: SharedArrayBuffer | undefined;
      /** Bytes of data in it. */
      readonly length: number;
    }
  | { readonly task: 'end-data' };

/** What it says of each frame, in no order, and of each end of data. */
export type FrameAnswer =
  | {
      readonly slot: number;
      /** See `FrameFacts`. */
      readonly made: {
        readonly bytes: number;
        readonly digest: Uint8Array;
        readonly lies: 'whole' | 'around';
      };
    }
  | { readonly slot: number; readonly failure: string }
  | { readonly dataDigest: string };
