import { formatCount, formatRate, formatSize } from '../../apps/cli/src/output/size.js';
import { tableLines } from '../../apps/cli/src/output/table.js';
import { formatDuration } from '../../apps/cli/src/output/time.js';

export interface Step {
  readonly step: string;
  readonly ms: number;
  readonly files?: number;
  readonly bytes?: number;
}

/** What the demo did, for its last words. */
export class StepTable {
  private readonly steps: Step[] = [];

  add(step: Step): void {
    this.steps.push(step);
  }

  lines(): string[] {
    return tableLines(
      [
        { title: 'STEP', cell: ({ step }) => step },
        { title: 'FILES', right: true, cell: ({ files }) => maybe(files, formatCount) },
        { title: 'SIZE', right: true, cell: ({ bytes }) => maybe(bytes, formatSize) },
        { title: 'TIME', right: true, cell: ({ ms }) => formatDuration(ms) },
        {
          title: 'RATE',
          right: true,
          cell: ({ bytes, ms }) => maybe(bytes, (value) => formatRate(value, ms)),
        },
      ],
      this.steps,
    );
  }
}

function maybe(value: number | undefined, format: (value: number) => string): string | undefined {
  return value === undefined ? undefined : format(value);
}
