/** What a media server does for one attempt of a job. */
export interface Session {
  readonly job: number;
  readonly attempt: number;
  readonly imageId: string;
  readonly copy: number;
  isOver: boolean;
}

/** What an agent or another media server says on the data port. */
export type DataCall =
  | { readonly type: 'open'; readonly token: string }
  | {
      readonly type: 'fragment';
      readonly token: string;
      readonly number: number;
      readonly text: string;
      readonly last: boolean;
    }
  | { readonly type: 'finish'; readonly token: string; readonly fragments: number }
  | { readonly type: 'read'; readonly fragmentId: string };

export function dataPort(mediaId: string): string {
  return `data ${mediaId}`;
}

/** Base64. */
export interface FragmentBytes {
  readonly data: string;
  readonly index: string;
  readonly last: boolean;
}
