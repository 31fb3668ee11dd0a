import { z } from 'zod';
import { clientName } from '#contracts/names.js';

const BUFFERS_DEFAULT = 16;
const BUFFER_BYTES_DEFAULT = 1024 * 1024;

export const agentConfig = z.object({
  /** The client's name, as policies call it. */
  HOLDFAST_CLIENT: clientName,
  /** Where the agent keeps what it remembers of the last backups. */
  HOLDFAST_AGENT_FOLDER: z.string().min(1),
  /** The ring of buffers between reader and sender: how many, and how large (bytes). */
  HOLDFAST_DATA_BUFFERS: z.coerce.number().int().min(2).max(1_024).default(BUFFERS_DEFAULT),
  HOLDFAST_DATA_BUFFER_BYTES: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(4 * 1024 * 1024)
    .default(BUFFER_BYTES_DEFAULT),
});
export type AgentConfigValues = z.infer<typeof agentConfig>;

/** The configuration as an injection token. */
export class AgentConfig {
  constructor(
    readonly client: string,
    readonly folder: string,
    readonly ring: { readonly buffers: number; readonly bufferBytes: number },
  ) {}

  static from(values: AgentConfigValues): AgentConfig {
    return new AgentConfig(values.HOLDFAST_CLIENT, values.HOLDFAST_AGENT_FOLDER, {
      buffers: values.HOLDFAST_DATA_BUFFERS,
      bufferBytes: values.HOLDFAST_DATA_BUFFER_BYTES,
    });
  }
}
