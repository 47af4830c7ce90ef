// Words to the service manager (sd_notify(3)): READY=1, RELOADING=1, STOPPING=1, STATUS=…
#pragma once

#include <string_view>

namespace uvs {

// Sends `text` to $NOTIFY_SOCKET; false when there is none or it does not take it.
bool notify_service_manager(std::string_view text);

}  // namespace uvs
