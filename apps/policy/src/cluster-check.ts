import { Injectable } from '@nestjs/common';
import { brokerGroups } from '#contracts/broker/configuration.js';
import { brokerClient, brokerServers, brokerUnits } from '#contracts/broker.js';
import type { PolicySpec, PolicyWarning } from '#contracts/policy.js';
import { Clock } from '#kernel/clock.js';
import { PermanentError, Unavailable } from '#kernel/errors.js';
import { Requests } from '#messaging/requests.js';
import {
  policyWarnings,
  storageWarnings,
  unknownClient,
  type Storage,
} from './domain/policy-warnings.js';
import { parallel } from './parallel.js';

const QUESTIONS_AT_ONCE = 16;
/** Whoever puts a policy waits for this. */
const SHORTLY = { timeoutMs: 1_500 };

/** Asks the cluster for what a policy names. */
@Injectable()
export class ClusterCheck {
  constructor(
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** What will not work as things are now. A broker that does not answer is a warning, too. */
  async warnings(policy: PolicySpec): Promise<PolicyWarning[]> {
    const known = policyWarnings(policy, this.clock.now());
    try {
      const clients = await this.unknownClients(policy);
      return [...clients, ...storageWarnings(policy, await this.storage()), ...known];
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      const message = `clients and storage were not checked: ${error.message}`;
      return [{ field: 'policy', message }, ...known];
    }
  }

  private async unknownClients({ clients }: PolicySpec): Promise<PolicyWarning[]> {
    const unknown = new Set<string>();
    await parallel(clients, QUESTIONS_AT_ONCE, async (client) => {
      if (!(await this.isKnown(client))) unknown.add(client);
    });
    return clients.flatMap((client, i) => (unknown.has(client) ? [unknownClient(client, i)] : []));
  }

  private async isKnown(client: string): Promise<boolean> {
    try {
      await this.requests.call(brokerClient, { client }, SHORTLY);
      return true;
    } catch (error) {
      if (error instanceof PermanentError) return false;
      throw error;
    }
  }

  private async storage(): Promise<Storage> {
    const [{ units }, { servers }, groups] = await Promise.all([
      this.requests.call(brokerUnits, {}, SHORTLY),
      this.requests.call(brokerServers, {}, SHORTLY),
      this.groups(),
    ]);
    return { units, servers, groups };
  }

  /** A broker of an earlier release has none, and does not answer. */
  private async groups(): Promise<Storage['groups']> {
    try {
      return (await this.requests.call(brokerGroups, {}, SHORTLY)).groups;
    } catch (error) {
      if (error instanceof Unavailable) return [];
      throw error;
    }
  }
}
