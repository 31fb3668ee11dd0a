import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { examine, START_MS_MAX, type Examination } from './examine.js';
import { bootGuest, Chronicle, cutPower, despiteCrashes } from './lab-guest.js';
import { describeTrigger, type Loss } from './loss-plan.js';
import { copyCluster, type Disks, type VolumeFilesystem } from './machine/disk.js';
import { PowerLost, type Guest } from './machine/guest.js';
import type { LabTools } from './machine/lab-tools.js';

export interface LabPlace {
  readonly checkout: string;
  readonly tools: LabTools;
  /** Where disks and logs go. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

const WORK_MS_MAX = 600_000;

/** A cluster on one machine that loses its power again and again. */
export class Campaign {
  private readonly chronicle = new Chronicle();
  private readonly restored = new Set<string>();
  private generation = 0;

  private constructor(
    private readonly place: LabPlace,
    private readonly disks: Disks,
    private readonly name: string,
  ) {}

  /** Begins with a copy of a cluster that was set up, and never used. */
  static async prepare(
    place: LabPlace,
    base: Disks,
    filesystem: VolumeFilesystem,
  ): Promise<Campaign> {
    const folder = join(place.folder, `losses-${filesystem}`);
    mkdirSync(folder);
    const disks = await copyCluster(base, { folder, filesystem, tools: place.tools });
    return new Campaign({ ...place, folder }, disks, filesystem);
  }

  /** Resolves with all findings. Ends early with the first ones: what comes after them says little. */
  async run(losses: readonly Loss[]): Promise<readonly string[]> {
    for (const [index, loss] of losses.entries()) {
      const title = `${this.name}, loss ${index + 1} of ${losses.length}`;
      const findings = await this.surviving(title, loss);
      if (findings.length > 0) return findings;
    }
    this.restored.clear();
    return this.surviving(`${this.name}, last look`);
  }

  private surviving(title: string, loss?: Loss): Promise<readonly string[]> {
    return despiteCrashes(this.place.say, title, () => this.live(loss, title));
  }

  /** Boots, examines what the loss before has left, works, and loses the power, if there is a loss. */
  private async live(loss: Loss | undefined, title: string): Promise<readonly string[]> {
    const guest = await this.boot();
    try {
      if (loss?.during === 'start') {
        const inTime = await this.loseWhileStarting(guest, loss);
        this.place.say(`${title}: ${describeTrigger(loss.trigger)} into a start${inTime}`);
        return [];
      }
      const examination = await examine(guest, this.chronicle, this.restored);
      const said = describeExamination(examination);
      if (!loss || examination.findings.length > 0) this.place.say(`${title}: ${said}`);
      if (!loss || examination.findings.length > 0) return examination.findings;
      const worked = await this.loseWhileWorking(guest, loss);
      this.place.say(`${title}: ${said}; then ${describeTrigger(loss.trigger)} into ${worked}`);
      return [];
    } finally {
      await cutPower(guest);
    }
  }

  private async loseWhileStarting(guest: Guest, { trigger }: Loss): Promise<string> {
    const started = guest
      .call('start', {}, START_MS_MAX)
      .then(() => guest.call('heal', { idle: true, msMax: WORK_MS_MAX }, 2 * WORK_MS_MAX));
    const outcome = started.then(() => ' that had ended', ignorePowerLoss);
    await this.chronicle.until(trigger);
    await cutPower(guest);
    return outcome;
  }

  /** Runs the workloads one after the other until the power goes. */
  private async loseWhileWorking(guest: Guest, loss: Loss): Promise<string> {
    const names: string[] = [];
    const working = (async () => {
      for (const { name, chance } of loss.workloads) {
        names.push(name);
        this.generation += 1;
        const request = { workload: name, generation: this.generation, chance };
        const { refused } = await guest.call('work', request, WORK_MS_MAX);
        if (refused !== '') names.push(`(${refused})`);
      }
    })();
    const ended = working.then(() => undefined, ignorePowerLoss);
    await Promise.race([this.chronicle.until(loss.trigger), ended]);
    await cutPower(guest);
    await ended;
    return names.join(', ');
  }

  private boot(): Promise<Guest> {
    const { checkout, folder, tools } = this.place;
    return bootGuest({ checkout, kernel: tools.kernel, disks: this.disks, folder }, this.chronicle);
  }
}

export function describeExamination(examination: Examination): string {
  const { findings, failed, startSeconds, healSeconds } = examination;
  const { fragments, deleted, bytesRead, imagesRestored } = examination;
  if (findings.length > 0) return `FOUND:\n  ${findings.join('\n  ')}`;
  return [
    `ready in ${startSeconds.toFixed(0)} s`,
    `healed in ${healSeconds.toFixed(0)} s`,
    `${fragments} fragments as they should be (${deleted} deleted)`,
    `${Math.round(bytesRead / 2 ** 20)} MiB read`,
    `${imagesRestored} images restored`,
    ...failed,
  ].join(', ');
}

function ignorePowerLoss(error: unknown): string {
  if (!(error instanceof PowerLost)) throw error;
  return '';
}
