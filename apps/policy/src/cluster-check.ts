import { Injectable } from '@nestjs/common';
import { brokerClient, brokerUnits } from '#contracts/broker.js';
import type { PolicySpec, PolicyWarning } from '#contracts/policy.js';
import { messageOf, PermanentError, Unavailable } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import { clientWarning, storageWarnings } from './domain/policy-warnings.js';
import { parallel } from './parallel.js';

const QUESTIONS_AT_ONCE = 16;

/** Asks the cluster for what a policy names. */
@Injectable()
export class ClusterCheck {
  constructor(private readonly requests: Requests) {}

  /** What will not work as things are now. A broker that does not answer is a warning, too. */
  async warnings(policy: PolicySpec): Promise<PolicyWarning[]> {
    try {
      return [...(await this.clients(policy)), ...(await this.storage(policy))];
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const message = `clients and storage were not checked, the broker is away: ${messageOf(error)}`;
      return [{ field: 'policy', message }];
    }
  }

  private async clients({ clients }: PolicySpec): Promise<PolicyWarning[]> {
    const found: (PolicyWarning | undefined)[] = [];
    await parallel([...clients.entries()], QUESTIONS_AT_ONCE, async ([index, client]) => {
      found[index] = clientWarning(index, client, await this.isKnown(client));
    });
    return found.filter((warning) => warning !== undefined);
  }

  private async isKnown(client: string): Promise<boolean> {
    try {
      await this.requests.call(brokerClient, { client });
      return true;
    } catch (error) {
      if (error instanceof PermanentError) return false;
      throw error;
    }
  }

  private async storage(policy: PolicySpec): Promise<PolicyWarning[]> {
    const { units } = await this.requests.call(brokerUnits, {});
    return storageWarnings(policy, units);
  }
}
