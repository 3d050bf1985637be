// Format `avro`: records with the dataset's columns, or Debezium's envelopes of them.
#include "source/messages/message_format.h"

#include <memory>
#include <utility>

namespace lockstep {
namespace {

class AvroMessages final : public MessageFormat {
 public:
  AvroMessages(const KafkaSettings& settings, const MessageTarget& target, AvroSchemas& schemas)
      : schemas_(schemas),
        rows_(make_row_messages(settings, target, readers(settings, schemas))),
        envelopes_(make_debezium_messages(settings, target, readers(settings, schemas))) {}

  Result<bool> read(const MessageBytes& message, MessageRows& rows) override {
    std::string_view bytes = message.value.value_or("");
    std::uint32_t id = 0;
    std::string reason;
    if (!take_schema_id(bytes, id)) return rows_->read(message, rows);
    const AvroSchema* schema = TRY(schemas_.find(id, reason));
    const bool is_envelope = schema != nullptr && schema->is_envelope();
    return is_envelope ? envelopes_->read(message, rows) : rows_->read(message, rows);
  }

 private:
  static MessageReaders readers(const KafkaSettings& settings, AvroSchemas& schemas) {
    return {make_avro_reader(schemas),
            settings.key == MessageKeyName::kJson ? make_json_reader() : make_avro_reader(schemas)};
  }

  AvroSchemas& schemas_;
  const std::unique_ptr<MessageFormat> rows_;
  const std::unique_ptr<MessageFormat> envelopes_;
};

}  // namespace

std::unique_ptr<MessageFormat> make_avro_messages(const KafkaSettings& settings,
                                                  const MessageTarget& target,
                                                  AvroSchemas& schemas) {
  return std::make_unique<AvroMessages>(settings, target, schemas);
}

}  // namespace lockstep
