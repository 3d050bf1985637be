#include "source/messages/message_format.h"

namespace lockstep {

Result<std::unique_ptr<MessageFormat>> make_message_format(Io& io,
                                                           const KafkaSettings& settings,
                                                           const MessageTarget& target,
                                                           AvroSchemas* schemas) {
  switch (settings.format) {
    case MessageFormatName::kJson:
      return make_row_messages(settings, target, {make_json_reader(), make_json_reader()});
    case MessageFormatName::kDebezium:
      return make_debezium_messages(settings, target, {make_json_reader(), make_json_reader()});
    case MessageFormatName::kCanal:
    case MessageFormatName::kMaxwell:
      return make_binlog_messages(settings, target);
    case MessageFormatName::kAvro:
      LOCKSTEP_ASSERT(schemas != nullptr, "source: a format of schemas without any");
      return make_avro_messages(settings, target, *schemas);
    case MessageFormatName::kProtobuf:
      return make_row_messages(
          settings,
          target,
          {TRY(make_protobuf_reader(io, settings.descriptors, settings.message)),
           make_json_reader()});
  }
  LOCKSTEP_ASSERT(false, "source: a format without its messages");
}

}  // namespace lockstep
