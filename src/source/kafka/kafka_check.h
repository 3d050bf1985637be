// What stands between a Kafka cluster and its source.
#pragma once

#include "source/kafka/kafka_link.h"
#include "source/kafka/kafka_settings.h"
#include "source/source.h"

#include <vector>

namespace lockstep {

std::vector<SourceFinding> check_kafka(KafkaServer& server, const KafkaSettings& settings);

}  // namespace lockstep
