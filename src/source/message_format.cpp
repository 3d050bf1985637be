#include "source/message_format.h"

namespace lockstep {

Result<std::unique_ptr<MessageFormat>> make_message_format(const KafkaSettings& settings,
                                                           const MessageTarget& target) {
  switch (settings.format) {
    case MessageFormatName::kJson:
      return make_json_messages(settings, target);
    case MessageFormatName::kDebezium:
      return make_debezium_messages(settings, target);
    case MessageFormatName::kCanal:
    case MessageFormatName::kMaxwell:
      return make_row_messages(settings, target);
  }
  LOCKSTEP_ASSERT(false, "source: a format without its messages");
}

}  // namespace lockstep
