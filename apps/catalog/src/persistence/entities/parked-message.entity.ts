import { Column, Entity, PrimaryColumn } from 'typeorm';

/** A message that can never be handled: set aside so that it holds up no other, and kept. */
@Entity({ name: 'parked_message' })
export class ParkedMessageRow {
  @PrimaryColumn({ name: 'message_id', type: 'text' })
  messageId!: string;

  @Column('text')
  subject!: string;

  /** JSON, or empty where it was none. Text, because JSON can hold what jsonb cannot. */
  @Column('text')
  payload!: string;

  @Column('text')
  reason!: string;

  @Column('int')
  deliveries!: number;

  @Column({ name: 'parked_at', type: 'timestamptz', default: () => 'now()' })
  parkedAt!: Date;
}
