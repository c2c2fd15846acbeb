/** What these rooms need of the log's dictionaries. */
export interface Codes {
  /** The code of an entity id, or −1 where no event has ever named it. */
  codeOf(entity: string, entityId: string): number;
}
