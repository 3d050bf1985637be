// The source of type `kafka`: topics of a Kafka cluster, each of them a table.
//
// Every partition is read from the offset that the hub holds for it; nothing is committed to Kafka,
// and no group is joined. Only committed messages are given. The order of a partition is kept, that
// among partitions is not: rows of one key belong to one partition.
//
// Refused, since messages would be lost or taken twice without a word: another cluster, offsets
// that the topic does not keep any more or does not have yet, and a topic that was made anew: then
// the message before the position is another one. The way out is to read the topics anew
// (open_anew).
#pragma once

#include "source/kafka/kafka_link.h"
#include "source/source.h"

#include <memory>

namespace lockstep {

Result<std::unique_ptr<Source>> make_kafka_source(Io& io, const SourceRequest& request);

// The same over another way to reach the cluster: for tests.
Result<std::unique_ptr<Source>> make_kafka_source_of(Io& io,
                                                     const SourceRequest& request,
                                                     std::unique_ptr<KafkaServer> server);

}  // namespace lockstep
